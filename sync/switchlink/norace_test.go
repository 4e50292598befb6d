//go:build !race

package switchlink

// raced says that this binary has the race detector.
const raced = false
