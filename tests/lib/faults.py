# SPDX-License-Identifier: Apache-2.0
"""Faults between two programs: a proxy of streams (in front of Redis) and one of datagrams (in front of NG). Each is a
thread; what it does to what passes is set at any time."""
import os
import random
import selectors
import socket
import threading
import time


class StreamProxy(threading.Thread):
    """Unix socket `path` in front of unix socket `target`. mode: "pass", "freeze" (takes everything, passes nothing),
    "cut" (closes what is open, refuses what comes), "mute" (what is answered is lost), bytes (is answered to
    whatever comes, by something that is no Redis). delay_s holds back what the server answers."""

    def __init__(self, path, target):
        super().__init__(daemon=True)
        self.path, self.target, self.mode, self.delay_s = path, target, "pass", 0.0
        self.selector, self.pairs, self.later, self.done = selectors.DefaultSelector(), {}, [], False
        self.answers = set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen(64)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.start()

    def run(self):
        while not self.done:
            for key, _ in self.selector.select(0.002 if self.later else 0.02):
                if key.fileobj is self.listener:
                    self.accept()
                else:
                    self.read(key.fileobj)
            if self.mode == "cut":
                for s in list(self.pairs):
                    self.close(s)
            now = time.monotonic()
            while self.later and self.later[0][0] <= now and self.mode != "freeze":
                _, s, data = self.later.pop(0)
                self.pass_on(s, data)

    def accept(self):
        near, _ = self.listener.accept()
        if self.mode == "cut":
            near.close()
            return
        far = None
        if not isinstance(self.mode, bytes):
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(self.target)
            except OSError:
                near.close()
                return
        self.pairs[near] = far
        self.selector.register(near, selectors.EVENT_READ)
        if far:
            self.pairs[far] = near
            self.answers.add(far)
            self.selector.register(far, selectors.EVENT_READ)

    def is_answer(self, s):
        return s in self.answers

    def read(self, s):
        if s not in self.pairs:
            return
        if self.mode == "freeze":
            time.sleep(0.002)  # it stays where it is
            return
        try:
            data = s.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.close(s)
        elif isinstance(self.mode, bytes):
            self.pass_on(s, self.mode)
        elif self.mode == "mute" and self.is_answer(s):
            pass
        elif self.delay_s or self.later:
            self.later.append((time.monotonic() + (self.delay_s if self.is_answer(s) else 0), self.pairs[s], data))
            self.later.sort(key=lambda entry: entry[0])
        else:
            self.pass_on(self.pairs[s], data)

    def pass_on(self, s, data):
        try:
            if s:
                s.sendall(data)
        except OSError:
            self.close(s)

    def close(self, s):
        other = self.pairs.pop(s, None)
        if other:
            self.pairs.pop(other, None)
        for one in (s, other):
            if one:
                try:
                    self.selector.unregister(one)
                except (KeyError, ValueError):
                    pass
                self.answers.discard(one)
                one.close()

    def stop(self):
        self.done = True
        self.join(5)
        for s in list(self.pairs):
            self.close(s)
        self.listener.close()
        os.unlink(self.path)


class DatagramProxy(threading.Thread):
    """UDP, both ways: `made_socket` is bound in front, `make_socket()` makes one towards `target` for each client.
    loss, double and shuffle are shares of 1; delay_s holds all back; freeze loses all."""

    def __init__(self, made_socket, make_socket, target, seed=0):
        super().__init__(daemon=True)
        self.near, self.make, self.target, self.random = made_socket, make_socket, target, random.Random(seed)
        self.loss = self.double = self.shuffle = self.delay_s = 0.0
        self.freeze, self.done, self.clients, self.backs, self.later = False, False, {}, {}, []
        self.count = {"passed": 0, "lost": 0, "doubled": 0, "shuffled": 0}
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.near, selectors.EVENT_READ)
        self.start()

    def faults(self, loss=0.0, double=0.0, shuffle=0.0, delay_s=0.0):
        self.loss, self.double, self.shuffle, self.delay_s = loss, double, shuffle, delay_s

    def run(self):
        while not self.done:
            for key, _ in self.selector.select(0.002 if self.later else 0.02):
                try:
                    data, source = key.fileobj.recvfrom(65536)
                except OSError:
                    continue  # nobody listens there now
                if key.fileobj is self.near:
                    self.mangle(self.far_of(source), data, self.target)
                else:
                    self.mangle(self.near, data, self.backs[key.fileobj])
            now = time.monotonic()
            while self.later and self.later[0][0] <= now:
                _, s, data, to = self.later.pop(0)
                self.send(s, data, to)

    def far_of(self, source):
        if source not in self.clients:
            far = self.clients[source] = self.make()
            self.backs[far] = source
            self.selector.register(far, selectors.EVENT_READ)
        return self.clients[source]

    def mangle(self, s, data, to):
        if self.freeze or self.random.random() < self.loss:
            self.count["lost"] += 1
            return
        wait = self.delay_s
        if self.random.random() < self.shuffle:
            wait += self.random.uniform(0.005, 0.05)
            self.count["shuffled"] += 1
        self.emit(wait, s, data, to)
        if self.random.random() < self.double:
            self.count["doubled"] += 1
            self.emit(wait + self.random.choice((0, 0.003, 0.1)), s, data, to)

    def emit(self, wait, s, data, to):
        if wait:
            self.later.append((time.monotonic() + wait, s, data, to))
            self.later.sort(key=lambda entry: entry[0])
        else:
            self.send(s, data, to)

    def send(self, s, data, to):
        self.count["passed"] += 1
        try:
            s.sendto(data, to)
        except OSError:
            pass

    def stop(self):
        self.done = True
        self.join(5)
        for far in self.backs:
            far.close()
        self.near.close()
