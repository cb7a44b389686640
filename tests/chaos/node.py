# SPDX-License-Identifier: Apache-2.0
"""One node of the world: both halves of Postern in a host, with fault proxies in front of the store and of NG."""
import os
import re
import socket

from lib.faults import DatagramProxy, StreamProxy
from lib.lab import wait_until
from lib.postern import Postern

SBC, RELAY = "postern-sbc", "postern-rtpengine"


class Node:
    """`state`: more of that section of its configuration."""

    def __init__(self, lab, redis, config, host="sbc", name="postern", proxies=True, workers=2, key="", state=""):
        self.lab, self.host, self.name, self.workers, self.key = lab, host, name, workers, key
        self.proxy = self.ng = None
        relay = ""
        if proxies:
            self.proxy = StreamProxy(os.path.join(lab.dir, name + "-front.socket"), redis.socket)
            self.ng = DatagramProxy(self.udp("127.0.0.1", 2222), self.udp, ("127.0.0.1", 2223))
            relay = "relay: {control: [udp/127.0.0.1:2222], listen: [udp/127.0.0.1:2223]}\n"
        self.config = config + relay + "state: {store: redis, servers: [\"unix:%s\"], key: !env STATE_KEY%s}\n" % (
            self.proxy.path if proxies else redis.socket, state)
        self.is_dead = False
        self.start()

    def start(self):
        self.postern = Postern(self.lab, self.config, host=self.host, name=self.name, workers=self.workers,
                               env={"STATE_KEY": self.key})
        self.is_dead = False
        wait_until(lambda: self.postern.stats()["store"]["state"] == "up", 10, "the store is up")

    def udp(self, address=None, port=0):
        s = self.lab.socket(self.host, socket.AF_INET, socket.SOCK_DGRAM)
        if address:
            s.bind((address, port))
        return s

    def die(self):
        self.is_dead = True
        return self.postern.power_failure()

    def ended(self):
        """(cause, Call-ID) of each CDR."""
        return re.findall(r"call\.ended.*?cause=\"([^\"]*)\".*?a_call_id=(\S+)", self.postern.process.log())

    def close(self):
        if not self.is_dead:
            self.postern.stop()
        for proxy in (self.proxy, self.ng):
            if proxy:
                proxy.stop()
