package op

import (
	goruntime "runtime"
	"sync"
)

// parallel cuts 0..n into one range for each core and calls f on all of them
// at once. Work below the grain stays on one core: starting goroutines costs
// more than it saves. Which range an index falls into never changes what is
// computed for it, so results don't depend on the number of cores.
func parallel(n, grain int, f func(from, to int)) {
	workers := min(goruntime.GOMAXPROCS(0), n/max(grain, 1))
	if workers < 2 {
		f(0, n)
		return
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { f(w*n/workers, (w+1)*n/workers) })
	}
	wg.Wait()
}

// elementGrain is the number of elements of a cheap elementwise operation that
// outweighs starting a goroutine.
const elementGrain = 1 << 14
