// Package emvtest reads the virtual bank cards with cardio/emv. It is apart from
// that package so that its fuzz targets need no reader stack.
package emvtest
