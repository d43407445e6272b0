"""Delays, loses, doubles, reorders and slows the packets of a TUN device, and gives them back to the kernel.

    python3 impair.py DEVICE

Opens the device and writes {"type": "ready"}. Each line of stdin is a JSON object that replaces the impairment:

    delayMs, jitterMs    one way: each packet waits delayMs +- jitterMs, so jitter reorders as well
    lossPercent          not passed on
    dupPercent           passed on twice, the second 1 ms later
    reorderPercent       does not wait
    rateMbit, queueKb    0: no limit; else a queue of that size before a link of that rate, and what does not fit is dropped
    seed                 of the chances

It ends with its input. Node cannot open a TUN device, therefore Python. Good for about 15,000 packets a second.
"""

import fcntl
import heapq
import json
import os
import random
import selectors
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
PACKET_MAX = 65535
READ_AT_ONCE = 64

NONE = {"delayMs": 0, "jitterMs": 0, "lossPercent": 0, "dupPercent": 0, "reorderPercent": 0, "rateMbit": 0, "queueKb": 256}


class Line:
    """What waits to be passed on: by the time at which it is due, then in the order of arrival."""

    def __init__(self, device):
        self.device = device
        self.waiting = []
        self.count = 0
        self.free_at = 0.0
        self.impair({})

    def impair(self, wanted):
        self.wanted = {**NONE, **wanted}
        self.chance = random.Random(wanted.get("seed", 1))

    def hits(self, percent):
        return percent > 0 and self.chance.random() * 100 < percent

    def arrived(self, now, packet):
        if self.hits(self.wanted["lossPercent"]):
            return
        due = self.after_queue(now, len(packet))
        if due is None:
            return
        if not self.hits(self.wanted["reorderPercent"]):
            jitter = (self.chance.random() * 2 - 1) * self.wanted["jitterMs"]
            due += max(0.0, self.wanted["delayMs"] + jitter) / 1000
        self.put(due, packet)
        if self.hits(self.wanted["dupPercent"]):
            self.put(due + 0.001, packet)

    def after_queue(self, now, size):
        """When the link has sent it. None: the queue is full."""
        if self.wanted["rateMbit"] == 0:
            return now
        bytes_a_second = self.wanted["rateMbit"] * 125_000
        self.free_at = max(self.free_at, now)
        if (self.free_at - now) * bytes_a_second > self.wanted["queueKb"] * 1024:
            return None
        self.free_at += size / bytes_a_second
        return self.free_at

    def put(self, due, packet):
        self.count += 1
        heapq.heappush(self.waiting, (due, self.count, packet))

    def pass_on(self, now):
        while self.waiting and self.waiting[0][0] <= now:
            try:
                os.write(self.device, heapq.heappop(self.waiting)[2])
            except OSError:
                pass  # as a link that is down: lost

    def wait(self, now):
        """Seconds until the next is due, or None."""
        return max(0.0, self.waiting[0][0] - now) if self.waiting else None


def open_device(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def packets(device):
    for _ in range(READ_AT_ONCE):
        try:
            yield os.read(device, PACKET_MAX)
        except BlockingIOError:
            return


def say(line):
    print(json.dumps(line), flush=True)


def main():
    device = open_device(sys.argv[1])
    line = Line(device)
    commands = sys.stdin.fileno()
    partial = b""
    ready = selectors.DefaultSelector()
    ready.register(device, selectors.EVENT_READ)
    ready.register(commands, selectors.EVENT_READ)
    say({"type": "ready"})
    while True:
        for key, _ in ready.select(line.wait(time.monotonic())):
            if key.fd == device:
                for packet in packets(device):
                    line.arrived(time.monotonic(), packet)
                continue
            read = os.read(commands, PACKET_MAX)
            if not read:
                return
            *whole, partial = (partial + read).split(b"\n")
            for text in whole:
                line.impair(json.loads(text))
                say({"type": "impaired"})
        line.pass_on(time.monotonic())


main()
