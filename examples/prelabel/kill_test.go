//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// start runs prelabel as a process of its own.
func start(t testing.TB, args []string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), child+"="+strings.Join(args, "\n"))
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &log
}

func TestKilledRunsEndWithOneLinePerImage(t *testing.T) {
	m := makeAll(t, 150)
	put(t, filepath.Join(m.images, "part3", "broken.jpg"), []byte("x"))
	whole := m
	whole.out += "-whole"
	mustRun(t, whole.args("-threshold", "0.4", "-batch", "2", "-threads", "1", "-cache", "none"))
	want := read(t, filepath.Join(whole.out, "labels.jsonl"))

	labels := filepath.Join(m.out, "labels.jsonl")
	size := func() int64 {
		info, err := os.Stat(labels)
		if err != nil {
			return 0
		}
		return info.Size()
	}
	args := m.args("-threshold", "0.4", "-batch", "2", "-threads", "1", "-cache", "none")
	kills := 0
	for attempt := range 6 {
		if size() > 0 || attempt > 0 {
			args = m.args("-threshold", "0.4", "-batch", "2", "-threads", "1", "-cache", "none", "-resume")
		}
		cmd, log := start(t, args)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		// Kill it when it is some way further.
		until := size() + int64(len(want)/7) + 37
		deadline := time.Now().Add(time.Minute)
		var err error
		for running := true; running; {
			select {
			case err = <-ended:
				running = false
			case <-time.After(200 * time.Microsecond):
				if size() > until && cmd.Process.Signal(syscall.SIGKILL) == nil {
					err = <-ended
					running = false
				} else if time.Now().After(deadline) {
					_ = cmd.Process.Kill()
					t.Fatalf("it hangs\n%s", log.String())
				}
			}
		}
		state := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if !state.Signaled() {
			if err != nil {
				t.Fatalf("%v\n%s", err, log.String())
			}
			break
		}
		kills++
		// What is there is the beginning of what will be.
		if got := read(t, labels); !bytes.HasPrefix(want, got) {
			t.Fatalf("after kill %d the file is not the beginning of the whole one", kills)
		}
	}
	if kills < 2 {
		t.Errorf("it was killed %d times", kills)
	}
	mustRun(t, m.args("-threshold", "0.4", "-batch", "2", "-threads", "1", "-cache", "none", "-resume"))
	if got := read(t, labels); !bytes.Equal(got, want) {
		t.Errorf("%d bytes, without interruptions %d", len(got), len(want))
	}
	if n := len(lines(t, m.out)); n != 151 {
		t.Errorf("%d lines for 151 images", n)
	}
}

func TestTwoProcessesKeepOutOfEachOthersWay(t *testing.T) {
	m := makeAll(t, 2)
	if err := os.MkdirAll(m.out, 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(filepath.Join(m.out, ".lock"))
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	if status := program(m.args(), &bytes.Buffer{}, &errs); status != 1 || !strings.Contains(errs.String(), "another process") {
		t.Errorf("status %d, %s", status, errs.String())
	}
	unlock()
	mustRun(t, m.args())
}

func TestPathsThatAreNoTextComeBack(t *testing.T) {
	m := makeAll(t, 3)
	name := "part0/bad \xff name.png"
	path := filepath.Join(m.images, name)
	if err := os.WriteFile(path, read(t, filepath.Join(m.images, "part0", "scene 00000.png")), 0o644); err != nil {
		t.Skip("a file system that takes only text as names: ", err)
	}
	mustRun(t, m.args("-threshold", "0"))
	mustRun(t, m.args("-threshold", "0", "-resume"))
	all := lines(t, m.out)
	if len(all) != 4 {
		t.Fatalf("%d lines", len(all))
	}
	for _, l := range all {
		if l.name() == name {
			return
		}
	}
	t.Errorf("%+v", all)
}
