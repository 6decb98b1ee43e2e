"""Which voices of LibriSpeech are in which recordings of docs/speakers.md: nobody is in two lists. In Resemblyzer's
audio_data readers of test-other have ten utterances each, those of train-clean-100 one."""
# test-other; tune's are in ../shared/speakers' meetings, too
MAIN = {"tune": "1688 1998 2033 2414 2609".split(),
        "held": "367 533 3005 3080 3331".split()}
MORE = {"tune": """125 302 1069 1841 2002 2136 2289 2384 4788 4859 5104 6019 6147 6563 6848 7794 7800 8108 8468
                   8630""".split(),
        "held": """40 83 250 332 669 696 1116 2182 2843 2911 2952 3436 3830 4830 5022 5652 5750 5808 6925 7078 7113 7447
                   8051 8770""".split(),
        "enrol": """60 226 289 458 2893 3857 4853 5778 5789 6078 6367 6531 6818 7059 7067 7302 7402 8014 8238
                    8425""".split()}
TESTS = {voice for voices in MORE.values() for voice in voices}
