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


def alaw_sample(byte):
    """ITU-T G.711 A-law, 13 bits."""
    byte ^= 0x55
    exponent, mantissa = byte >> 4 & 7, byte & 15
    value = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
    return value if byte & 0x80 else -value


ALAW = [alaw_sample(b) for b in range(256)]


def heard_on_wire(packets, destination, hertz):
    """Seconds of the tone in the A-law RTP that reached `destination` (as captured at its own end)."""
    samples = array.array("h", (ALAW[b] for p in packets if p.destination == destination and len(p.payload) > 12 and
                                p.payload[0] >> 6 == 2 and p.payload[1] & 0x7f == 8 for b in p.payload[12:]))
    window = 800
    return sum(1 for i in range(0, len(samples) - window + 1, window)
               if power(samples[i:i + window], 8000, hertz) > 0.5) / 10.0
