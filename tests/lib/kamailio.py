# SPDX-License-Identifier: Apache-2.0
"""A PBX: Debian's Kamailio as a plain registrar and proxy with digest authentication."""
import os

HERE = os.path.dirname(os.path.abspath(__file__))


def registrar(lab, host="pbx", address="10.0.0.20", domain="example.com", name="pbx"):
    with open(os.path.join(HERE, "registrar.cfg")) as f:
        text = f.read().replace("@ADDRESS@", address).replace("@DOMAIN@", domain)
    path = lab.write(name + ".cfg", text)
    process = lab.spawn(host, name, "kamailio", "-DD", "-E", "-f", path, "-Y", lab.dir, "-P",
                        os.path.join(lab.dir, name + ".pid"), "-m", "32", "-M", "4")
    process.wait_log(r"registrar is up", 10)
    return process
