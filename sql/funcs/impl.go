package funcs

import "maps"

// scalarFuncs are the implementations of scalar functions, by area.
func scalarFuncs() []kernels {
	return []kernels{integerFuncs(), comparisonFuncs(), floatFuncs(), castFuncs(), numericFuncs(), stringFuncs(), encodingFuncs(),
		formatFuncs(), likeFuncs(), regexFuncs(), arrayFuncs(), boolFuncs(), datetimeFuncs(), sessionFuncs(),
		jsonTextFuncs(), numberPictureFuncs(), timePictureFuncs(), jsonBuildFuncs(), jsonbFuncs(), rangeFuncs(), bitFuncs(), advisoryFuncs()}
}

func setReturning() setKernels {
	all := setKernels{}
	for _, k := range []setKernels{regexSets(), arraySets(), seriesSets(), jsonTextSets()} {
		maps.Copy(all, k)
	}
	all["pg_listening_channels"] = listeningChannels
	return all
}
