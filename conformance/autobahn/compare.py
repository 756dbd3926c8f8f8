"""Compares Autobahn's index.json with the list of expected behaviours.

Every case is expected to be OK and to close OK, except those in the list:
lines of "case behaviour close", with a reason after "#".
"""
import collections
import json
import sys

COUNT = {"core": 247, "all": 517}


def expectations(path):
    lines = (line.split("#")[0].split() for line in open(path))
    return {words[0]: (words[1], words[2]) for words in lines if words}


def main(index, expected, cases):
    results = {}
    for agent in json.load(open(index)).values():
        for case, result in agent.items():
            results[case] = (result["behavior"], result["behaviorClose"])
    expect = expectations(expected)
    wrong = [
        (case, got, expect.get(case, ("OK", "OK")))
        for case, got in sorted(results.items(), key=lambda item: [int(n) for n in item[0].split(".")])
        if got != expect.get(case, ("OK", "OK"))
    ]
    for case, got, wanted in wrong:
        print("%s: %s, close %s; expected %s, close %s" % ((case,) + got + wanted))
    kinds = collections.Counter(behaviour for behaviour, _ in results.values())
    closes = collections.Counter(close for _, close in results.values() if close not in ("OK", "INFORMATIONAL"))
    print(
        "autobahn %s: %d cases: %d ok, %d informational, %d non-strict, %d not negotiated, %d failed; "
        "%d closed badly; %d unexpected"
        % (
            cases,
            len(results),
            kinds["OK"],
            kinds["INFORMATIONAL"],
            kinds["NON-STRICT"],
            kinds["UNIMPLEMENTED"],
            sum(kinds.values()) - sum(kinds[k] for k in ("OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED")),
            sum(closes.values()),
            len(wrong),
        )
    )
    if len(results) != COUNT[cases]:
        print("autobahn %s: %d cases ran, %d were expected to" % (cases, len(results), COUNT[cases]))
        return 1
    return 1 if wrong else 0


sys.exit(main(*sys.argv[1:]))
