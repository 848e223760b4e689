package kerneltest

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
)

// MaxLength is the largest of the lengths that a suite goes through one by
// one: 0 to 257 have every remainder of every vector width and unrolling.
const MaxLength = 257

// EachVariant runs f once for every variant that may run here, slowest first,
// as subtest impl=NAME. f switches its package to that variant; EachVariant
// does not know how.
//
// The environment variable WINNOW_REQUIRE lists, separated by commas, variants
// that must have run: if one of them may not, the test fails instead of passing
// for lack of hardware.
func EachVariant(t *testing.T, f func(t *testing.T, v cpu.Variant)) {
	t.Helper()
	have := cpu.Variants()
	for _, name := range strings.Split(os.Getenv("WINNOW_REQUIRE"), ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(have, cpu.Variant(name)) {
			t.Errorf("variant %s is required and cannot run here; there are %v", name, have)
		}
	}
	for _, v := range have {
		t.Run("impl="+string(v), func(t *testing.T) { f(t, v) })
	}
}
