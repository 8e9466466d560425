// What robfig/cron does with many jobs due at one instant: lateness of no-op functions, or of shell commands that
// write their own start. Prints one JSON array of milliseconds. Usage: main (noop|shell) COUNT
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

func main() {
	kind := os.Args[1]
	count, _ := strconv.Atoi(os.Args[2])
	due := time.Now().UTC().Truncate(time.Second).Add(3 * time.Second)
	spec := fmt.Sprintf("%d %d %d * * *", due.Second(), due.Minute(), due.Hour())
	late := make([]float64, count)
	directory, _ := os.MkdirTemp("", "robfig")
	defer os.RemoveAll(directory)
	var done sync.WaitGroup
	done.Add(count)
	scheduler := cron.New(cron.WithSeconds(), cron.WithLocation(time.UTC))
	for n := 0; n < count; n++ {
		n := n
		file := filepath.Join(directory, strconv.Itoa(n))
		scheduler.AddFunc(spec, func() {
			defer done.Done()
			if kind == "noop" {
				late[n] = milliseconds(time.Since(due))
				return
			}
			exec.Command("/bin/sh", "-c", "date +%s.%N >"+file).Run()
			text, _ := os.ReadFile(file)
			seconds, _ := strconv.ParseFloat(string(text[:len(text)-1]), 64)
			late[n] = (seconds - float64(due.Unix())) * 1000
		})
	}
	scheduler.Start()
	done.Wait()
	json.NewEncoder(os.Stdout).Encode(late)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
