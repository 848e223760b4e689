package gemm

// portable computes a block in Go: tiles of 2 rows and 4 columns, which is
// what fits the registers of amd64. The products are rounded before they are
// added, so that every processor gives the same result.
func (b *block) portable() {
	for i := 0; i < len(b.rows); i += 2 {
		two := i+1 < len(b.rows)
		for j := 0; j < b.cols; j += 4 {
			var s [2][4]float32
			cols := min(4, b.cols-j)
			last := i
			if two {
				last = i + 1
			}
			if b.accumulate {
				copy(s[0][:cols], b.dst[b.outs[i]+j:])
				copy(s[1][:cols], b.dst[b.outs[last]+j:])
			}
			b.dot(&s, b.rows[i], b.rows[last], j)
			copy(b.dst[b.outs[i]+j:][:cols], s[0][:])
			if two {
				copy(b.dst[b.outs[last]+j:][:cols], s[1][:])
			}
		}
	}
	if b.epi != nil {
		for i, o := range b.outs {
			b.epi.Row(b.dst[o:][:b.cols], b.row0+i, b.col0, b.width)
		}
	}
}

// dot adds the products of two rows and the four columns from j on to s.
func (b *block) dot(s *[2][4]float32, row0, row1, j int) {
	s00, s01, s02, s03 := s[0][0], s[0][1], s[0][2], s[0][3]
	s10, s11, s12, s13 := s[1][0], s[1][1], s[1][2], s[1][3]
	at := j
	for r, run := range b.runs {
		if b.bRuns != nil {
			at = b.bRuns[r] + j
		}
		a0, a1 := b.a[row0+run:], b.a[row1+run:]
		l := 0
		for range b.run {
			v := (*[4]float32)(b.b[at:])
			x, y := a0[l], a1[l]
			at += b.bStep
			l += b.step
			s00 += float32(x * v[0])
			s01 += float32(x * v[1])
			s02 += float32(x * v[2])
			s03 += float32(x * v[3])
			s10 += float32(y * v[0])
			s11 += float32(y * v[1])
			s12 += float32(y * v[2])
			s13 += float32(y * v[3])
		}
	}
	*s = [2][4]float32{{s00, s01, s02, s03}, {s10, s11, s12, s13}}
}
