package ood

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// WriteTo writes the table as aligned text, a block for each temperature. A
// dash stands for what is undefined; the column of strangers is left out where
// there are none. It returns the number of bytes written.
func (t *Table) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, t.String())
	return int64(n), err
}

// String is the text that [Table.WriteTo] writes.
func (t *Table) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%11s %9s %8s %8s %8s", "temperature", "threshold", "kept", "accuracy", "overall")
	if t.Strangers > 0 {
		fmt.Fprintf(&b, " %10s", "strangers")
	}
	fmt.Fprintf(&b, "\n%11s %9s %8s %8s %8s", "", "", "of known", "of kept", "of known")
	if t.Strangers > 0 {
		fmt.Fprintf(&b, " %10s", "refused")
	}
	b.WriteByte('\n')
	last := math.NaN()
	for i, r := range t.Rows {
		temperature := ""
		if r.Temperature != last {
			if i > 0 {
				b.WriteByte('\n')
			}
			temperature = strconv.FormatFloat(r.Temperature, 'f', 2, 64)
		}
		last = r.Temperature
		fmt.Fprintf(&b, "%11s %9s %8s %8s %8s", temperature, strconv.FormatFloat(r.Threshold, 'f', 3, 64),
			percent(r.Coverage), percent(r.Accuracy), percent(r.Overall))
		if t.Strangers > 0 {
			fmt.Fprintf(&b, " %10s", percent(r.Stopped))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// WriteCSV writes a line of names and a line for each row, at full precision;
// what is undefined is an empty field.
func (t *Table) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	lines := [][]string{{"temperature", "threshold", "kept", "correct", "refused", "coverage", "accuracy", "overall", "stopped"}}
	for _, r := range t.Rows {
		lines = append(lines, []string{
			decimal(r.Temperature, -1), decimal(r.Threshold, -1),
			strconv.Itoa(r.Kept), strconv.Itoa(r.Correct), strconv.Itoa(r.Refused),
			field(r.Coverage), field(r.Accuracy), field(r.Overall), field(r.Stopped),
		})
	}
	if err := c.WriteAll(lines); err != nil {
		return fmt.Errorf("ood: table: %w", err)
	}
	return nil
}

// field is a number in a CSV file, empty for NaN.
func field(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return decimal(v, -1)
}

// decimal writes a number, a dash for NaN; digits -1 means as many as needed.
func decimal(v float64, digits int) string {
	if math.IsNaN(v) {
		return "-"
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// percent writes a share with one decimal, a dash for NaN. A share below 1 is
// never rounded up to 100.
func percent(v float64) string {
	if v < 1 && v >= 0.9995 {
		return "99.9%"
	}
	if math.IsNaN(v) {
		return "-"
	}
	return decimal(100*v, 1) + "%"
}
