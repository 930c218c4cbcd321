// Package nearest finds what somebody meant who mistyped a name.
package nearest

import "fmt"

// Hint returns `: did you mean NAME?` with the known name nearest to the given
// one, or nothing where none is near.
func Hint(given string, known []string) string {
	best, least := "", max(2, len(given)/2)+1
	for _, name := range known {
		if d := distance(given, name); d < least && d < max(len(name), len(given)) {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %s?", best)
}

// distance counts the bytes to insert, drop or change to make b of a
// (Levenshtein 1966), one row of the table at a time.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
