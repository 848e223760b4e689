package nn

// Run records f on a tape of the runner's, evaluates what it returns and
// appends those values to dst, with their shape. It is for models whose input
// is not a batch of images, or that have more than one output; f must not keep
// the tape. With a runner that takes weights, f uses the same layers each time.
func (r *Runner) Run(dst []float32, f func(t *Tape) *Tensor) ([]float32, []int, error) {
	if r.take && !r.warm.Load() {
		r.cold.Lock()
		defer r.cold.Unlock()
	}
	t := r.tape()
	defer r.putTape(t)
	y := f(t)
	if err := t.Eval(y); err != nil {
		return dst, nil, err
	}
	r.warm.Store(true)
	return append(dst, t.b.Host(y.buf)...), append([]int(nil), y.shape...), nil
}
