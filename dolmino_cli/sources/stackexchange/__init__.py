"""Stack Exchange dumps -> documents of a question and its accepted answer, joined on disk in bounded memory."""
