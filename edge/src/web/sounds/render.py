#!/usr/bin/env python3
"""Renders the sentences of spoken.txt to fr/*.ogg and en/*.ogg, and notes in said.json what each says.

Run by hand after a sentence changed (a test says which). Needs the Python package `ttspico` (SVOX Pico, Apache-2.0) and
`opusenc`. A recording that is better, by a person, replaces the file; its line of said.json stays what the sentence is.
"""

import json
import pathlib
import re
import subprocess
import tempfile
import wave

import ttspico

HERE = pathlib.Path(__file__).parent
WORDS = HERE.parents[3] / "shared/src/messages"
VOICES = {"fr": ("fr-FR", 82), "en": ("en-GB", 86)}
RATE_HZ = 16_000


def sentences(lang):
    """Messages and their `.next`, by key."""
    found, key = {}, None
    for line in (WORDS / f"{lang}.ftl").read_text().splitlines():
        if named := re.match(r"([a-z][\w-]*) = (.*)", line):
            key = named[1]
            found[key] = named[2]
        elif key and (after := re.match(r"    \.next = (.*)", line)):
            found[f"{key}.next"] = after[1]
    return found


def said(words, keys):
    """One text of several sentences: each ends with a stop, so that the voice rests."""
    texts = [words[key].strip() for key in keys]
    return " ".join(text if text[-1] in ".!?…" else f"{text}." for text in texts)


def render(lang, name, text):
    voice, rate = VOICES[lang]
    engine = ttspico.TtsEngine(voice)
    engine.rate = rate
    with tempfile.NamedTemporaryFile(suffix=".wav") as sound:
        with wave.open(sound.name, "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(RATE_HZ)
            out.writeframes(engine.speak(text))
        quiet = ["opusenc", "--quiet", "--discard-comments", "--serial", "1", "--bitrate", "20", "--speech"]
        subprocess.run([*quiet, sound.name, HERE / lang / f"{name}.ogg"], check=True)


def main():
    lines = [line.split(": ") for line in (HERE / "spoken.txt").read_text().splitlines() if line]
    for lang in VOICES:
        words, path = sentences(lang), HERE / f"{lang}/said.json"
        before = json.loads(path.read_text()) if path.exists() else {}
        now = {name: said(words, keys.split()) for name, keys in lines}
        for name, text in now.items():
            if before.get(name) != text or not (HERE / lang / f"{name}.ogg").exists():
                render(lang, name, text)
        for old in (HERE / lang).glob("*.ogg"):
            if old.stem not in now:
                old.unlink()
        path.write_text(json.dumps(now, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
