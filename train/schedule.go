package train

import "math"

// Schedule is the learning rate of each step.
type Schedule interface {
	// Rate is the learning rate of step, the first being 0, of total.
	Rate(step, total int) float64
}

// Cosine rises linearly to Peak over the warm-up and falls to Min along half a
// cosine (Loshchilov, Hutter 2017, arXiv:1608.03983). With w warm-up steps of
// T in all, step t has the rate
//
//	Peak (s + (1-s) t/w)                            t < w, s = StartFactor
//	Min + (Peak-Min) (1 + cos(π (t-w)/(T-w))) / 2   from w on
//
// which is PyTorch's LinearLR followed by CosineAnnealingLR.
type Cosine struct {
	Peak        float64
	Min         float64
	Warmup      float64 // share of all steps, 0..1; w is rounded
	WarmupSteps int     // overrides Warmup if positive
	StartFactor float64 // first rate as a share of Peak; 0 means 0.1
}

// Rate is the learning rate of a step.
func (c Cosine) Rate(step, total int) float64 {
	w := c.WarmupSteps
	if w <= 0 {
		w = int(math.Round(c.Warmup * float64(total)))
	}
	start := c.StartFactor
	if start == 0 {
		start = 0.1
	}
	if step < w {
		return c.Peak * (start + (1-start)*float64(step)/float64(w))
	}
	if total <= w {
		return c.Peak
	}
	progress := min(float64(step-w)/float64(total-w), 1)
	return c.Min + (c.Peak-c.Min)*0.5*(1+math.Cos(math.Pi*progress))
}

// Constant is the same rate at every step.
type Constant float64

// Rate is c.
func (c Constant) Rate(int, int) float64 { return float64(c) }
