"""Evolution on periodic boxes: Fourier series, the split into L and N, and exponential integrators."""
