# SPDX-License-Identifier: Apache-2.0
"""Tones: made as WAV files, and measured by frequency in what was received."""
import array
import math
import wave


def write_tone(path, hertz, seconds=60, rate=8000, level=0.5):
    samples = array.array("h", (int(32767 * level * math.sin(2 * math.pi * hertz * i / rate))
                                for i in range(int(rate * seconds))))
    with wave.open(path, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())


def read_wav(path):
    """(rate, samples). A file still being written has a wrong length in its header: the data counts."""
    with open(path, "rb") as f:
        data = f.read()
    at = data.find(b"data")
    if data[:4] != b"RIFF" or at < 0:
        return 8000, array.array("h")
    rate = int.from_bytes(data[24:28], "little")
    channels = int.from_bytes(data[22:24], "little")
    body = data[at + 8:]
    samples = array.array("h")
    samples.frombytes(body[:len(body) // 2 * 2])
    return rate, samples[::channels] if channels > 1 else samples


def power(samples, rate, hertz):
    """Goertzel: share of the signal's power at `hertz` (1.0 = a pure tone)."""
    n = len(samples)
    if n == 0:
        return 0.0
    w = 2 * math.pi * hertz / rate
    c, s1, s2 = 2 * math.cos(w), 0.0, 0.0
    total = 0.0
    for x in samples:
        s1, s2 = x + c * s1 - s2, s1
        total += float(x) * x
    if total == 0:
        return 0.0
    return 2 * (s1 * s1 + s2 * s2 - c * s1 * s2) / (n * total)


def heard(path, hertz, seconds=1.0):
    """Seconds of the file in which the tone at `hertz` dominates (half or more of the power)."""
    rate, samples = read_wav(path)
    window = rate // 10
    good = sum(1 for i in range(0, len(samples) - window + 1, window)
               if power(samples[i:i + window], rate, hertz) > 0.5)
    return good / 10.0
