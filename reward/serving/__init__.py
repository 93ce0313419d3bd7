"""What ``reward serve`` answers: the parts of its two applications."""
