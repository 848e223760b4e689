package rng

import "testing"

func TestSequenceDependsOnTheWholeKey(t *testing.T) {
	seen := map[uint64][]uint64{}
	for _, key := range [][]uint64{{1}, {1, 0}, {1, 0, 0}, {0, 1}, {2}, {2, 1}, {1, 2}, {}} {
		for seed := range uint64(3) {
			a, b := New(seed, key...).Uint64(), New(seed, key...).Uint64()
			if a != b {
				t.Fatalf("seed %d key %v: %d then %d", seed, key, a, b)
			}
			if other, ok := seen[a]; ok {
				t.Fatalf("seed %d key %v draws what %v drew", seed, key, other)
			}
			seen[a] = append(key, seed)
		}
	}
}
