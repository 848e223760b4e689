// Package rng draws random numbers that depend on a key alone.
//
// Every random decision of training (initial weights, order, crops, masks) has
// a generator of its own, keyed by the seed and by what it decides: purpose,
// epoch, sample. So the draws never depend on the order in which goroutines
// run, and a run can be resumed in its middle.
package rng

import "math/rand/v2"

// Purposes keep keys of different users apart. The numbers are part of what
// makes a seed reproducible: never reuse or renumber one.
const (
	Init    uint64 = 1 // initial weights: parameter index
	Order   uint64 = 2 // epoch
	Augment uint64 = 3 // epoch, sample
	Mask    uint64 = 4 // dropout and drop path: step, operation
	Split   uint64 = 5 // splits of a data set
	Scene   uint64 = 6 // dataset/scenes
	Test    uint64 = 7 // tests
	Branch  uint64 = 8 // samples that keep a branch: step, operation
)

// New returns the generator of a key. Equal keys give equal sequences.
func New(seed uint64, key ...uint64) *rand.Rand {
	a, b := mix(seed+0x9e3779b97f4a7c15), mix(seed^0xd1b54a32d192ed03)
	for i, k := range key {
		a = mix(a ^ mix(k+uint64(i)*0x9e3779b97f4a7c15))
		b = mix(b + mix(k^0x8cb92ba72f3d8dd7))
	}
	return rand.New(rand.NewPCG(a, b))
}

// mix is the finaliser of splitmix64 (Steele, Lea, Flood, 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
