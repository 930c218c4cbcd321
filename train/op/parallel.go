package op

import (
	goruntime "runtime"
	"sync"
)

// parallel cuts 0..n into one range for each core and calls f on all of them
// at once. Work below the grain stays on one core: starting goroutines costs
// more than it saves. Which range an index falls into never changes what is
// computed for it, so results don't depend on the number of cores. A panic of f
// becomes the caller's: in a goroutine of its own, nobody could recover it.
func parallel(n, grain int, f func(from, to int)) {
	workers := min(goruntime.GOMAXPROCS(0), n/max(grain, 1))
	if workers < 2 {
		f(0, n)
		return
	}
	panics := make([]any, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			defer func() { panics[w] = recover() }()
			f(w*n/workers, (w+1)*n/workers)
		})
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
}

// elementGrain is the number of elements of a cheap elementwise operation that
// outweighs starting a goroutine.
const elementGrain = 1 << 14
