package funcs

// scalarFuncs are the implementations of scalar functions, by area.
func scalarFuncs() []kernels {
	return []kernels{integerFuncs(), comparisonFuncs(), floatFuncs(), castFuncs(), numericFuncs(), stringFuncs(), encodingFuncs(), formatFuncs(), likeFuncs(), regexFuncs()}
}
func setReturning() setKernels   { return setKernels{} }
func aggregateFuncs() aggregates { return aggregates{} }
func ioKernel(f *Func) Kernel    { return nil }
