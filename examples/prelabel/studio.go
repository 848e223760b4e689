package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/dataset"
)

// task is an image in Label Studio's format for import.
type task struct {
	Data        taskData         `json:"data"`
	Predictions []taskPrediction `json:"predictions"`
}

type taskData struct {
	Image   string       `json:"image"` // URL
	Path    string       `json:"path"`
	Verdict clip.Verdict `json:"verdict"`
}

type taskPrediction struct {
	ModelVersion string       `json:"model_version"`
	Score        float64      `json:"score"`
	Result       []taskResult `json:"result"`
}

type taskResult struct {
	FromName string      `json:"from_name"`
	ToName   string      `json:"to_name"`
	Type     string      `json:"type"`
	Value    taskChoices `json:"value"`
}

type taskChoices struct {
	Choices []string `json:"choices"`
}

// writeTasks writes tasks.json: what is for review, then what is kept, then what
// is rejected, the least sure first; and labelstudio.xml, the labelling
// interface that the tasks belong to.
func writeTasks(o options, s *started, set dataset.Set, rs *records) error {
	err := write(filepath.Join(o.out, "tasks.json"), func(w io.Writer) error {
		b := bufio.NewWriter(w)
		b.WriteString("[")
		before := "\n"
		for _, verdict := range []clip.Verdict{clip.Review, clip.Keep, clip.Reject} {
			var images []int
			for i, rec := range rs.all {
				if rec.there && rec.class >= 0 && rec.verdict == verdict {
					images = append(images, i)
				}
			}
			rs.sort(images)
			for _, i := range images {
				rec, name := rs.all[i], set.Name(i)
				text, err := marshal(task{
					Data: taskData{Image: o.imageURL + escapePath(name), Path: strings.ToValidUTF8(name, "\uFFFD"), Verdict: verdict},
					Predictions: []taskPrediction{{ModelVersion: s.Model + "/" + s.Prompts, Score: rec.prob, Result: []taskResult{{
						FromName: "class", ToName: "image", Type: "choices", Value: taskChoices{[]string{rs.classes[rec.class]}},
					}}}},
				})
				if err != nil {
					return err
				}
				b.WriteString(before)
				b.Write(text)
				before = ",\n"
			}
		}
		b.WriteString("\n]\n")
		return b.Flush() // has the error of every write before
	})
	if err != nil {
		return err
	}
	return write(filepath.Join(o.out, "labelstudio.xml"), func(w io.Writer) error {
		var b bytes.Buffer
		b.WriteString("<View>\n  <Image name=\"image\" value=\"$image\"/>\n  <Choices name=\"class\" toName=\"image\" choice=\"single\" showInline=\"true\">\n")
		for _, c := range rs.classes {
			b.WriteString("    <Choice value=\"")
			if err := xml.EscapeText(&b, []byte(c)); err != nil {
				return err
			}
			b.WriteString("\"/>\n")
		}
		b.WriteString("  </Choices>\n</View>\n")
		_, err := b.WriteTo(w)
		return err
	})
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// inQuery are characters that may stand in the path of a URL as they are, and
// mean something in a query, where Label Studio has the paths of local files.
var inQuery = strings.NewReplacer("+", "%2B", "&", "%26", "=", "%3D", ";", "%3B")

// escapePath escapes every part of a path for the path or the query of a URL and
// keeps the slashes.
func escapePath(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = inQuery.Replace(url.PathEscape(p))
	}
	return strings.Join(parts, "/")
}
