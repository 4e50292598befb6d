#!/usr/bin/env python3
"""An EMV terminal that shares no code with Buka.

It is written from EMV Books 1 to 3 and the facts of the EMV sheet, runs on
Debian's python3-pyscard over the real pcscd, and is terminal and issuer at once:
it selects by PSE or PPSE, reads what the file locator names, authenticates the
card offline, asks for a cryptogram, checks it under the issuer's key, answers
it, and ends with the second GENERATE AC. It prints one line: JSON, or the
reason why it could not go on (and ends with status 1). It waits for a card, and
ends when the card has been taken out.

    terminal.py READER contact|contactless ISSUER-KEY CA-KEYS.json AMOUNT [WHICH]

WHICH of the card's applications pays, best first, from 0.
"""
import hashlib
import json
import os
import subprocess
import sys
import time

from smartcard.Exceptions import CardConnectionException, NoCardException
from smartcard.scard import (SCARD_SCOPE_USER, SCARD_STATE_EMPTY, SCARD_STATE_UNAWARE, SCardEstablishContext,
                             SCardGetStatusChange, SCardReleaseContext)
from smartcard.System import readers


class Broken(Exception):
    pass


def need(ok, why):
    if not ok:
        raise Broken(why)


# --- TLV (EMV Book 3, annex B) ---------------------------------------------

def cut_tag(data, at):
    start = at
    at += 1
    if data[start] & 0x1F == 0x1F:
        while data[at] & 0x80:
            at += 1
        at += 1
    return data[start:at].hex().upper(), at


def tlvs(data):
    """All data objects of one level, in order: (tag as hex, value)."""
    out, at = [], 0
    while at < len(data):
        if data[at] in (0x00, 0xFF):
            at += 1
            continue
        tag, at = cut_tag(data, at)
        n = data[at]
        at += 1
        if n & 0x80:
            width = n & 0x7F
            need(1 <= width <= 2, "length of %s" % tag)
            n = int.from_bytes(data[at:at + width], "big")
            need(n > 127, "length of %s is not the shortest" % tag)
            at += width
        need(at + n <= len(data), "%s is cut" % tag)
        out.append((tag, data[at:at + n]))
        at += n
    return out


def only(data, tag):
    """The value of the one template that data is."""
    found = tlvs(data)
    need(len(found) == 1 and found[0][0] == tag, "not one template %s: %s" % (tag, data.hex()))
    return found[0][1]


def inside(data, *path):
    for tag in path:
        values = [v for t, v in tlvs(data) if t == tag]
        need(values, "no %s" % tag)
        data = values[0]
    return data


def filled(dol, objects):
    """The values that a data object list wishes for (EMV Book 3, 5.4)."""
    out, at = b"", 0
    while at < len(dol):
        tag, at = cut_tag(dol, at)
        n = dol[at]
        at += 1
        v = objects.get(tag, bytes(n))
        need(len(v) == n, "%s is wanted with %d bytes" % (tag, n))
        out += v
    return out


# --- Cryptography of the issuer (EMV Book 2, annex A) ------------------------

def des3(key, data, chain=False):
    """Two-key TDES by openssl, ECB or CBC with a zero IV."""
    args = ["openssl", "enc", "-nopad", "-K", (key + key[:8]).hex()]
    args += ["-des-ede3-cbc", "-iv", "0" * 16] if chain else ["-des-ede3"]
    return subprocess.run(args, input=data, stdout=subprocess.PIPE, check=True).stdout


def odd(key):
    return bytes(b if bin(b).count("1") % 2 else b ^ 1 for b in key)


def card_key(issuer, pan, psn):
    need(len(pan) <= 16, "option B is not in this program")
    y = bytes.fromhex((pan + psn)[-16:].rjust(16, "0"))
    return odd(des3(issuer, y) + des3(issuer, bytes(x ^ 0xFF for x in y)))


def session_key(key, atc):
    return odd(des3(key, atc + bytes.fromhex("F00000000000")) + des3(key, atc + bytes.fromhex("0F0000000000")))


def mac(key, data):
    """ISO 9797-1 algorithm 3: a chain of single DES, the last block TDES."""
    need(len(data) % 8 == 0, "MAC over a broken block")
    last = bytes(8)
    if len(data) > 8:
        last = des3(key[:8] + key[:8], data[:-8], chain=True)[-8:]
    return des3(key, bytes(a ^ b for a, b in zip(last, data[-8:])))


def pad80(data):
    data += b"\x80"
    return data + bytes(-len(data) % 8)


class Issuer:
    """Checks and answers cryptograms of one card, by the version in 9F10."""

    ORDER = ("9F02", "9F03", "9F1A", "95", "5F2A", "9A", "9C", "9F37", "82", "9F36")

    def __init__(self, master, pan, psn, iad, atc):
        self.version = iad[2]
        self.key = card_key(master, pan, psn)
        if self.version != 10:
            self.key = session_key(self.key, atc)

    def cryptogram(self, objects, iad):
        data = b"".join(objects[t] for t in self.ORDER)
        data += iad if self.version == 18 else iad[3:7]
        if self.version == 10:
            return mac(self.key, data + bytes(-len(data) % 8))
        return mac(self.key, pad80(data))

    def answer(self, ac, arc):
        if self.version == 18:  # method 2
            csu = bytes(4)
            return mac(self.key, pad80(ac + csu))[:4] + csu
        return des3(self.key, bytes(a ^ b for a, b in zip(ac, arc + bytes(6)))) + arc


# --- Offline authentication (EMV Book 2, 5 and 6) ----------------------------

def opened(signature, key, kind, outside):
    n, e = key
    size = (n.bit_length() + 7) // 8
    need(len(signature) == size, "a signature of %d bytes under a key of %d" % (len(signature), size))
    plain = pow(int.from_bytes(signature, "big"), e, n).to_bytes(size, "big")
    need(plain[0] == 0x6A and plain[-1] == 0xBC and plain[1] == kind, "not a signature of kind %02X" % kind)
    need(hashlib.sha1(plain[1:-21] + outside).digest() == plain[-21:-1], "hash of kind %02X" % kind)
    return plain


def key_of(digits, size, rest, exponent):
    n = digits[:size] if size <= len(digits) else digits + rest
    need(len(n) == size, "a key of %d bytes instead of %d" % (len(n), size))
    return int.from_bytes(n, "big"), int.from_bytes(exponent, "big")


class Keys:
    def __init__(self, table, aid, card, static):
        with open(table) as f:
            found = [k for k in json.load(f) if k["rid"] == aid[:5].hex().upper() and int(k["index"], 16) == card["8F"][0]]
        need(len(found) == 1, "no authority's key %s %s" % (aid[:5].hex(), card["8F"].hex()))
        authority = int(found[0]["modulus"], 16), int(found[0]["exponent"], 16)
        self.static, self.card, self.pan = static, card, card["5A"].hex().rstrip("f")
        p = opened(card["90"], authority, 0x02, card.get("92", b"") + card["9F32"])
        need(self.pan.startswith(p[2:6].hex().rstrip("f")), "certificate of another issuer")
        self.issuer = key_of(p[15:-21], p[13], card.get("92", b""), card["9F32"])

    def icc(self):
        c = self.card
        p = opened(c["9F46"], self.issuer, 0x04, c.get("9F48", b"") + c["9F47"] + self.static)
        need(p[2:12].hex().rstrip("f") == self.pan, "certificate of another card")
        return key_of(p[21:-21], p[19], c.get("9F48", b""), c["9F47"])

    def sda(self):
        opened(self.card["93"], self.issuer, 0x03, self.static)

    def dynamic(self, signature, outside):
        p = opened(signature, self.icc(), 0x05, outside)
        return p[4:4 + p[3]]


# --- The terminal -------------------------------------------------------------

class Terminal:
    def __init__(self, name, amount, contactless):
        found = [r for r in readers() if str(r) == name]
        need(found, "no reader %s among %s" % (name, [str(r) for r in readers()]))
        self.conn = found[0].createConnection()
        patience = time.time() + 60
        while True:  # for a card
            try:
                self.conn.connect()
                break
            except (NoCardException, CardConnectionException) as e:
                need(time.time() < patience, "no card: %s" % e)
                time.sleep(0.05)
        self.contactless = contactless
        self.commands = 0
        self.own = {
            "9F66": bytes.fromhex("34C00080"), "9F02": bytes.fromhex("%012d" % amount), "9F03": bytes(6),
            "9F1A": b"\x01\x56", "5F2A": b"\x01\x56", "95": bytes(5), "9A": bytes.fromhex("260115"), "9C": b"\x00",
            "9F37": os.urandom(4), "9F35": b"\x24", "9F33": bytes.fromhex("2048E8"), "9F21": bytes.fromhex("093015"),
            "9F34": bytes.fromhex("420300"),
        }

    def ask(self, header, data=None, le=True, want=0x9000):
        apdu = list(bytes.fromhex(header))
        if data is not None:
            apdu += [len(data)] + list(data)
        if le:
            apdu.append(0)
        self.commands += 1
        out, sw1, sw2 = self.conn.transmit(apdu)
        while sw1 == 0x61:
            more, sw1, sw2 = self.conn.transmit([0x00, 0xC0, 0x00, 0x00, sw2])
            out += more
        if sw1 == 0x6C:
            out, sw1, sw2 = self.conn.transmit(apdu[:-1] + [sw2])
        need(sw1 << 8 | sw2 == want, "%s: %02X%02X, not %04X" % (header, sw1, sw2, want))
        return bytes(out)

    def applications(self):
        """AIDs, best first."""
        if self.contactless:
            fci = only(self.ask("00A40400", b"2PAY.SYS.DDF01"), "6F")
            need(inside(fci, "84") == b"2PAY.SYS.DDF01", "PPSE of another name")
            entries = [v for t, v in tlvs(inside(fci, "A5", "BF0C")) if t == "61"]
        else:
            try:
                fci = only(self.ask("00A40400", b"1PAY.SYS.DDF01"), "6F")
            except Broken as e:
                need("6A82" in str(e), str(e))
                return self.by_name()
            sfi, entries = inside(fci, "A5", "88")[0], []
            need(1 <= sfi <= 10, "directory file %d" % sfi)
            while True:
                record = "00B2%02X%02X" % (len(entries) + 1, sfi << 3 | 4)
                try:
                    data = self.ask(record)
                except Broken as e:
                    need("6A83" in str(e) and entries, str(e))
                    break
                entries += [v for t, v in tlvs(only(data, "70")) if t == "61"]
        out = []
        for entry in entries:
            o = dict(tlvs(entry))
            need(5 <= len(o["4F"]) <= 16 and o["50"].decode("ascii").isprintable(), "a directory entry")
            out.append((o.get("87", b"\x0f")[0] & 0x0F, o["4F"]))
        need(out, "an empty directory")
        return [aid for _, aid in sorted(out)]

    def by_name(self):
        """AIDs of a card without a directory, by the beginning of their names, best
        first (EMV Book 1, 12.3.3)."""
        out = []
        for provider in ("A000000333", "A000000003", "A000000004"):
            header = "00A40400"
            while True:
                try:
                    fci = only(self.ask(header, bytes.fromhex(provider)), "6F")
                except Broken as e:
                    need("6A82" in str(e), str(e))
                    break
                name, own = inside(fci, "84"), dict(tlvs(inside(fci, "A5")))
                need(name.hex().upper().startswith(provider) and name not in [n for _, n in out], "a name twice, or another one")
                out.append((own.get("87", b"\x0f")[0] & 0x0F, name))
                header = "00A40402"
        need(out, "no application of ours")
        return [aid for _, aid in sorted(out)]

    def start(self, which):
        aid = self.applications()[which]
        fci = only(self.ask("00A40400", aid), "6F")
        need(inside(fci, "84") == aid, "the application has another name")
        own = dict(tlvs(inside(fci, "A5")))
        need("50" in own, "no label")
        self.aid = aid
        self.ask("00B2010C", want=0x6985)  # nothing is read before the transaction has begun
        self.ask("80AE8000", bytes(29), want=0x6985)
        self.pdol = filled(own.get("9F38", b""), self.own)
        asked = b"\x83" + bytes([len(self.pdol)]) + self.pdol
        answer = self.ask("80A80000", asked)
        if answer[0] == 0x80:
            v = only(answer, "80")
            self.card = {"82": v[:2], "94": v[2:]}
        else:
            self.card = dict(tlvs(only(answer, "77")))
        need(len(self.card["82"]) == 2 and len(self.card["94"]) % 4 == 0, "profile and locator")
        self.ask("80A80000", asked, want=0x6985)  # only once
        self.records()

    def records(self):
        self.static = b""
        afl = self.card["94"]
        for i in range(0, len(afl), 4):
            sfi, first, last, signed = afl[i] >> 3, afl[i + 1], afl[i + 2], afl[i + 3]
            need(afl[i] & 7 == 0 and 1 <= sfi <= 30 and 1 <= first <= last, "locator %s" % afl.hex())
            for n in range(first, last + 1):
                record = self.ask("00B2%02X%02X" % (n, sfi << 3 | 4))
                body = only(record, "70")
                if n - first < signed:
                    self.static += body if sfi <= 10 else record
                for t, v in tlvs(body):
                    need(t not in self.card or self.card[t] == v, "%s twice" % t)
                    self.card[t] = v
            if i == 0:
                self.ask("00B2%02X%02X" % (last + 1, sfi << 3 | 4), want=0x6A83)
        for t in self.card.get("9F4A", b""):
            need(t == 0x82, "other signed objects than the profile")
            self.static += self.card["82"]
        pan, rest = self.card["57"].hex().upper().rstrip("F").split("D")
        need(pan == self.card["5A"].hex().upper().rstrip("F"), "two card numbers")
        need(12 <= len(pan) <= 19 and pan.isdigit() and rest.isdigit(), "card number or track")
        need(self.card["5F24"].hex()[:4] == rest[:4], "two expiry dates")
        self.pan = pan

    def objects(self, answer):
        return dict(self.own, **{"82": self.card["82"], "9F36": answer["9F36"]})

    def generated(self, answer, asked, keys):
        """Answer of GENERATE AC, format 1 or 2, with a combined signature or not."""
        if answer[0] == 0x80:
            v = only(answer, "80")
            return {"9F27": v[:1], "9F36": v[1:3], "9F26": v[3:11], "9F10": v[11:]}, False
        found = tlvs(only(answer, "77"))
        o = dict(found)
        if "9F4B" not in o:
            return o, False
        body = keys.dynamic(o["9F4B"], self.own["9F37"])
        n = body[0]
        cid, ac, digest = body[1 + n:2 + n], body[2 + n:10 + n], body[10 + n:30 + n]
        over = self.pdol + asked
        for t, v in found:
            if t != "9F4B":
                over += bytes.fromhex(t) + bytes([len(v)]) + v
        need(hashlib.sha1(over).digest() == digest, "the combined signature is of another transaction")
        need(cid == o["9F27"], "two kinds of cryptogram")
        o["9F26"] = ac
        return o, True

    def authenticate(self, table):
        """Kind and keys; the combined kind is checked with the cryptogram."""
        first = self.card["82"][0]
        if not first & 0x61:
            self.own["95"] = b"\x80" + self.own["95"][1:]
            return "none", None
        keys = Keys(table, self.aid, self.card, self.static)
        if first & 0x01:
            return "cda", keys
        if first & 0x20:
            asked = filled(self.card.get("9F49", bytes.fromhex("9F3704")), self.own)
            answer = self.ask("00880000", asked)
            signed = only(answer, "80") if answer[0] == 0x80 else inside(answer, "77", "9F4B")
            keys.dynamic(signed, asked)
            return "dda", keys
        keys.sda()
        return "sda", keys

    def dialogue(self, master, table):
        """GENERATE AC, the issuer's answer, and GENERATE AC again."""
        need(self.card["82"][0] & 0x10 and len(self.card["8E"]) >= 10, "no list of verification methods")
        oda, keys = self.authenticate(table)
        self.own["95"] = self.own["95"][:2] + b"\x04\x80" + self.own["95"][4:]  # PIN at the bank, over the floor limit
        asked = filled(self.card["8C"], self.own)
        o, combined = self.generated(self.ask("80AE%02X00" % (0x90 if oda == "cda" else 0x80), asked), asked, keys)
        need(o["9F27"][0] & 0xC0 == 0x80, "cryptogram of kind %s" % o["9F27"].hex())
        need(combined == (oda == "cda"), "combined signature")
        issuer = Issuer(master, self.pan, self.card["5F34"].hex(), o["9F10"], o["9F36"])
        need(issuer.cryptogram(self.objects(o), o["9F10"]) == o["9F26"], "the issuer does not know the cryptogram")
        result = {"oda": oda, "atc": int.from_bytes(o["9F36"], "big"), "first": o["9F27"].hex(), "cvn": issuer.version}
        if self.contactless:
            return result
        need(self.card["82"][0] & 0x04, "a contact card without issuer authentication")
        self.ask("00820000", issuer.answer(o["9F26"], b"00"), le=False)
        self.ask("00820000", issuer.answer(o["9F26"], b"00"), le=False, want=0x6985)  # only once
        self.own["8A"] = b"00"
        asked = filled(self.card["8D"], self.own)
        last, _ = self.generated(self.ask("80AE4000", asked), asked, keys)
        need(last["9F27"][0] & 0xC0 == 0x40, "the card refuses: %s" % last["9F27"].hex())
        need(issuer.cryptogram(self.objects(last), last["9F10"]) == last["9F26"], "the certificate is not the card's")
        need(last["9F36"] == o["9F36"], "two counters")
        self.ask("80AE4000", asked, want=0x6985)  # no third
        return dict(result, last=last["9F27"].hex())

    def fast(self, master, table):
        """Kernels 3 and 7: the cryptogram came with GET PROCESSING OPTIONS."""
        c = self.card
        need(c["9F27"][0] & 0xC0 == 0x80, "cryptogram of kind %s" % c["9F27"].hex())
        issuer = Issuer(master, self.pan, c["5F34"].hex(), c["9F10"], c["9F36"])
        need(issuer.cryptogram(self.objects(c), c["9F10"]) == c["9F26"], "the issuer does not know the cryptogram")
        need(c["9F69"][0] == 0x01 and c["9F69"][5:7] == c["9F6C"], "card authentication data")
        keys = Keys(table, self.aid, c, self.static)
        keys.dynamic(c["9F4B"], self.own["9F37"] + self.own["9F02"] + self.own["5F2A"] + c["9F69"])
        need(c["9F6C"][0] & 0x80, "it wants no PIN at the bank")
        return {"oda": "fdda", "atc": int.from_bytes(c["9F36"], "big"), "first": c["9F27"].hex(), "cvn": issuer.version}


def removed(name):
    """Waits until the card has been taken out."""
    _, context = SCardEstablishContext(SCARD_SCOPE_USER)
    patience = time.time() + 60
    while time.time() < patience:
        _, states = SCardGetStatusChange(context, 0, [(name, SCARD_STATE_UNAWARE)])
        if states and states[0][1] & SCARD_STATE_EMPTY:
            break
        time.sleep(0.02)
    SCardReleaseContext(context)


def main(name, face, master, table, amount, which="0"):
    t = Terminal(name, int(amount), face == "contactless")
    try:
        t.ask("00CA9F36", want=0x6D00)  # a command that is not of this card
        t.start(int(which))
        master = bytes.fromhex(master)
        result = t.fast(master, table) if "9F26" in t.card else t.dialogue(master, table)
    finally:
        t.conn.disconnect()
    return json.dumps(dict(result, aid=t.aid.hex(), commands=t.commands), sort_keys=True)


if __name__ == "__main__":
    status = 0
    try:
        said = main(*sys.argv[1:])
    except Broken as e:
        said, status = "terminal: " + str(e), 1
    print(said, flush=True)
    removed(sys.argv[1])
    sys.exit(status)
