"""A name server for TXT records, in a thread of the test or as a program:

    dkim_dns.py PORT FILE    serves FILE (lines "name text") on 127.0.0.1:PORT
"""
import socket
import struct
import sys
import threading


def answer(query, records):
    """The reply: the TXT, NODATA for other types, NXDOMAIN for names nobody has."""
    name, at = [], 12
    while query[at]:
        name.append(query[at + 1:at + 1 + query[at]].decode('latin-1'))
        at += 1 + query[at]
    kind = struct.unpack('>H', query[at + 1:at + 3])[0]
    question = query[12:at + 5]
    text = records.get('.'.join(name).lower())
    found = text is not None and kind == 16
    flags = 0x8180 if text is not None else 0x8183
    reply = query[:2] + struct.pack('>HHHHH', flags, 1, int(found), 0, 0) + question
    if found:
        raw = text.encode()
        strings = [raw[i:i + 255] for i in range(0, len(raw), 255)]
        data = b''.join(bytes([len(s)]) + s for s in strings)
        reply += b'\xc0\x0c' + struct.pack('>HHIH', 16, 1, 60, len(data)) + data
    return reply


class Server:
    def __init__(self, records, port=0):
        self.records = records
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', port))
        self.port = self.socket.getsockname()[1]

    def serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            self.socket.sendto(answer(query, self.records), peer)

    def start(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self


if __name__ == '__main__':
    with open(sys.argv[2]) as f:
        known = dict(line.rstrip('\n').split(' ', 1) for line in f)
    server = Server(known, int(sys.argv[1]))
    print('ready', flush=True)
    server.serve()
