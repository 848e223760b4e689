package cpu

import (
	"slices"
	"testing"
)

func TestGenericAlwaysRuns(t *testing.T) {
	if !Has(Generic) {
		t.Fatal("the generic variant must always be available")
	}
	if vs := Variants(); len(vs) == 0 || vs[0] != Generic {
		t.Fatalf("Variants() = %v, want generic first", vs)
	}
}

func TestLimitAllowsWhatIsNotFaster(t *testing.T) {
	for name, want := range map[string][]Variant{
		"": all, " AVX512 ": all, "avx2": {Generic, AVX2}, "generic": {Generic}, "mmx": {Generic},
	} {
		if got := limit(name); !slices.Equal(got, want) {
			t.Errorf("WINNOW_CPU=%q allows %v, want %v", name, got, want)
		}
	}
}
