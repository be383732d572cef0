"""Channels of a network at a width, as models/width.h rounds them."""


def scaled(channels, width):
    return max(2, int(channels * width + 0.5))
