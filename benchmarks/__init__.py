"""The benchmarks: what the middleware costs beside its peers. Run ``python -m benchmarks``; `RESULTS.md` is its output."""
