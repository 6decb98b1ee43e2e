"""What openai-whisper's own tests ask for and no other file here asks: written from their meaning (docs/testing.md)."""


def test_the_multilingual_vocabulary_is_shorter_for_other_languages(whisp, real_model):
    text = " 오늘은 날씨가 아주 좋아서 강가를 오래 걸었습니다."
    counts = []
    for name in ("tiny.en", "base"):
        with whisp.load_model(real_model(name)) as model:
            tokens = model.tokenize(text)
            assert model.detokenize(tokens) == text
            counts.append(len(tokens))
    assert counts[0] > counts[1]
