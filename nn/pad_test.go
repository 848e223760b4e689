package nn_test

import (
	"slices"
	"testing"

	"github.com/winnow-go/winnow/nn"
)

func TestPadEndPutsZerosAfter(t *testing.T) {
	for _, mode := range []nn.Mode{nn.Training, nn.Inference} {
		tape := nn.NewTape(mode, nil)
		y := tape.PadEnd(tape.InputFloats([]float32{1, 2, 3, 4}, 1, 2, 2, 1), 1)
		if got := floats(t, y); !slices.Equal(got, []float32{1, 2, 0, 3, 4, 0, 0, 0, 0}) || !slices.Equal(y.Shape(), []int{1, 3, 3, 1}) {
			t.Errorf("%v %v", y.Shape(), got)
		}
	}
	tape := nn.NewTape(nn.Training, nil)
	x := tape.InputFloats([]float32{1, 2, 3, 4}, 1, 2, 2, 1).WantGradient()
	if err := tape.Backward(tape.Dot(tape.PadEnd(x, 1), []float32{1, 2, 9, 3, 4, 9, 9, 9, 9})); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(x.Gradient(), []float32{1, 2, 3, 4}) {
		t.Errorf("gradient %v", x.Gradient())
	}
	tape.Reset()
	if x := ones(tape, 1, 2, 2, 1); tape.PadEnd(x, 0) != x {
		t.Error("no zeros make another tensor")
	}
	for _, bad := range []*nn.Tensor{tape.PadEnd(ones(tape, 1, 2, 2, 1), -1), tape.PadEnd(ones(tape, 2, 2), 1), tape.PadEnd(nil, 1)} {
		if err := tape.Eval(bad); err == nil {
			t.Error("no error")
		}
	}
}
