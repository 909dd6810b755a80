"""A fastText classifier of one's own: labelled documents -> a model for the stage `fasttext`, and how good it is."""
