"""Results for people: self-contained pages, trails and sums from what the store holds."""
