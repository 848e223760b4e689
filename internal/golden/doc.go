// Package golden finds the files of expected values that tests are held to,
// reads them, and compares. It is imported by tests only.
//
//	func TestOptimizersMatchGolden(t *testing.T) {
//		golden.Each(t, "optim/*.json", func(t *testing.T, g *golden.File) {
//			var cfg struct {
//				Optimizer string  `json:"optimizer"`
//				LR        float64 `json:"lr"`
//			}
//			g.Config(&cfg, golden.Remarks...) // an unknown key fails
//			w := g.Tensors(".safetensors")
//			golden.Compare(t, "p0", got, w.Float64("f64.step20.p0"), w.Float32("f32.step20.p0"))
//		})
//	}
//
// Independent goldens are too large for the repository and lie in a folder of
// their own, data and weights beside it: WINNOW_GOLDENS, WINNOW_DATA and
// WINNOW_WEIGHTS, by default ../shared/goldens, ../shared/data and
// ../shared/weights as seen from the root of the module. A test whose files
// are not there is skipped and says what is missing. Small goldens of our own,
// committed in a testdata folder, are never skipped: see [Testdata].
package golden
