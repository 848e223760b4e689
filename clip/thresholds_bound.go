package clip

import "math"

// tail is the probability of k or more successes in n trials of probability p,
// P(X >= k) for X ~ Bin(n,p): the regularised incomplete beta function
// I_p(k, n-k+1) (DLMF 8.17.5).
func tail(k, n int, p float64) float64 {
	switch {
	case k <= 0:
		return 1
	case k > n:
		return 0
	}
	return incompleteBeta(float64(k), float64(n-k+1), p)
}

// PrecisionBounds are the ends of the Clopper-Pearson interval for a share of
// which k of n were seen, each on its own wrong with probability 1-confidence at
// most (Clopper and Pearson 1934): so k=n=10 with confidence 0.9 are at least
// 0.794. They are NaN for n 0 or less, k outside 0..n, or a confidence outside
// (0,1).
func PrecisionBounds(k, n int, confidence float64) (lower, upper float64) {
	if n <= 0 || k < 0 || k > n || !(confidence > 0 && confidence < 1) {
		return math.NaN(), math.NaN()
	}
	δ := 1 - confidence
	lower, upper = 0, 1
	if k > 0 { // P(X >= k) rises with p
		lower = bisect(func(p float64) bool { return tail(k, n, p) <= δ })
	}
	if k < n { // P(X <= k) falls with p
		upper = bisect(func(p float64) bool { return 1-tail(k+1, n, p) > δ })
	}
	return lower, upper
}

// bisect is the largest p in [0,1] for which below holds, which is so up to
// some p and not beyond.
func bisect(below func(float64) bool) float64 {
	lo, hi := 0.0, 1.0
	for range 60 {
		if mid := (lo + hi) / 2; below(mid) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// incompleteBeta is I_x(a,b) for a, b > 0, by the continued fraction DLMF
// 8.17.22, evaluated forward by the modified method of Lentz.
func incompleteBeta(a, b, x float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2): // where the fraction converges slowly, I_x(a,b) = 1 - I_{1-x}(b,a)
		return 1 - incompleteBeta(b, a, 1-x)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a
	const tiny = 1e-300
	away := func(v float64) float64 { // from zero
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c := 1.0
	d := 1 / away(1-(a+b)*x/(a+1))
	f := d
	for i := 1; i < 10_000; i++ {
		m := float64(i)
		for _, e := range [2]float64{
			m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)),
			-(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1)),
		} {
			d = 1 / away(1+e*d)
			c = away(1 + e/c)
			f *= c * d
		}
		if math.Abs(c*d-1) < 1e-15 {
			break
		}
	}
	return min(max(front*f, 0), 1)
}
