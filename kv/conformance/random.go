package conformance

// randomScenarios: histories and interleavings nobody has thought of.
var randomScenarios []scenario
