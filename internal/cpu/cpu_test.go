package cpu

import "testing"

func TestGenericAlwaysRuns(t *testing.T) {
	if !Has(Generic) {
		t.Fatal("the generic variant must always be available")
	}
	if vs := Variants(); len(vs) == 0 || vs[0] != Generic {
		t.Fatalf("Variants() = %v, want generic first", vs)
	}
}

func TestDisableListIsParsed(t *testing.T) {
	m := parse(" AVX2, ,avx512")
	if !m[AVX2] || !m[AVX512] || len(m) != 2 {
		t.Fatalf("parse = %v", m)
	}
}
