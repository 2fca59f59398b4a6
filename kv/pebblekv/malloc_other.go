//go:build !cgo || !linux

package pebblekv

func fewArenas() {}
