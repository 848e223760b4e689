package nn_test

import (
	"fmt"
	"log"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
)

// A few steps of gradient descent on one batch.
func Example_training() {
	model := convnext.Mini(2)
	nn.Initialize(model, 1)
	images := tensor.New(tensor.WithShape(4, 8, 8, 3), tensor.WithBacking(normal(4*8*8*3, 1))) // [N,H,W,3]
	labels := []int{0, 1, 1, 0}

	tape := nn.NewTape(nn.Training, nil)
	var first, last float32
	for step := range 10 {
		loss := tape.CrossEntropy(model.Forward(tape, tape.Input(images)), nn.Targets{Labels: labels})
		if err := tape.Backward(loss); err != nil {
			log.Fatal(err)
		}
		value, err := loss.Floats()
		if err != nil {
			log.Fatal(err)
		}
		if last = value[0]; step == 0 {
			first = last
		}
		for _, p := range model.Params() {
			for i, g := range tape.Gradient(p) {
				p.Data()[i] -= 0.05 * g
			}
		}
		tape.Reset()
	}
	fmt.Println("the loss is less than half:", last < first/2)
	// Output: the loss is less than half: true
}

// Any number of goroutines may use one Runner.
func ExampleRunner() {
	model := convnext.Mini(10)
	nn.Initialize(model, 1) // or nn.Load
	run := nn.NewRunner(model, nn.NewDevice(nn.DeviceOptions{Threads: 2}))

	images := tensor.New(tensor.WithShape(3, 32, 32, 3), tensor.Of(tensor.Float32))
	logits, err := run.Predict(images)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(logits.Shape())

	_, err = run.Predict(tensor.New(tensor.WithShape(3, 32, 32, 1), tensor.Of(tensor.Float32)))
	fmt.Println(err)
	// Output:
	// (3, 10)
	// nn: stem.0: convolution: input [3 32 32 1] does not fit weight [32 3 2 2]: want [N,H,W,3]
}

// Names and shapes, and the work of a forward pass, are to be had without
// weights.
func ExampleTape_Describe() {
	model := convnext.Tiny(1000)
	tape := nn.NewTape(nn.Inference, nil)
	logits := model.Forward(tape, tape.Describe(1, 224, 224, 3))
	fmt.Println(logits.Shape(), tape.Err())
	fmt.Printf("%.1f M parameters, %.2f G multiply-accumulates\n", float64(nn.Count(model))/1e6, float64(tape.MACs())/1e9)
	// Output:
	// [1 1000] <nil>
	// 28.6 M parameters, 4.46 G multiply-accumulates
}
