package optimize

// UseReference makes all planning go through the reference planner until it is called again with false.
func UseReference(on bool) {
	if on {
		override = (*planner).reference
	} else {
		override = nil
	}
}

// CheckInFull makes rules that are compiled from now on evaluate their whole condition.
func CheckInFull(on bool) { checkInFull = on }
