package clip

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"runtime"
	"sync"

	"github.com/winnow-go/winnow/nn"
)

// ID tells models apart: a digest of the configuration and of every weight, 32
// hexadecimal digits. It is made when first asked for, which takes some tenths
// of a second for a large model, and again after Refresh. Preprocessing is not
// in it.
func (m *Model) ID() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.id == "" {
		m.id = m.digest()
	}
	return m.id
}

func (m *Model) digest() string {
	sums := make([][sha256.Size]byte, len(m.params))
	var wg sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, p := range m.params {
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer wg.Done()
			sums[i] = digestOf(p)
			<-slots
		}()
	}
	wg.Wait()
	h := sha256.New()
	cfg, err := json.Marshal(m.cfg)
	if err != nil {
		panic(err) // plain data that was checked
	}
	h.Write(cfg)
	for i, p := range m.params {
		h.Write([]byte(p.Name()))
		h.Write(sums[i][:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// digestOf hashes a parameter's values, little-endian.
func digestOf(p *nn.Param) (sum [sha256.Size]byte) {
	h := sha256.New()
	var buf [4 << 10]byte
	binary.LittleEndian.PutUint64(buf[:], uint64(p.Count()))
	h.Write(buf[:8])
	for data := p.Data(); len(data) > 0; {
		n := min(len(data), len(buf)/4)
		for i, v := range data[:n] {
			binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
		}
		h.Write(buf[:4*n])
		data = data[n:]
	}
	h.Sum(sum[:0])
	return sum
}
