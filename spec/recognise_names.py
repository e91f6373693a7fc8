"""What people call the columns of a row, by role, the likelier name first. Compared without case, `-`, `_`, space."""

from __future__ import annotations

PROMPT = (
    "prompt", "question", "query", "instruction", "problem", "user", "utterance", "request", "ticket", "message",
    "text", "sentence", "input", "source", "email", "review", "comment", "post", "document", "article", "passage",
    "body", "content", "dialogue", "description", "subject", "title",
)  # fmt: skip
COMPLETION = (
    "completion", "response", "answer", "output", "target", "reply", "assistant", "solution", "summary", "highlights",
    "translation", "finalanswer", "gold", "expected", "generation", "result", "answers", "longanswer",
)  # fmt: skip
LABEL = (
    "label", "category", "class", "intent", "finaldecision", "sentiment", "topic", "labels", "tag", "emotion",
    "priority", "queue", "department", "rating", "stars", "verdict", "isspam", "spam",
)  # fmt: skip
CONTEXT = ("context", "contexts", "passage", "document", "article", "paragraph", "background", "reference", "table")
INPUT = ("input", "context", "inputs")
SYSTEM = ("system", "systemprompt", "systemmessage")
MESSAGES = ("messages", "conversations", "conversation", "dialog", "dialogue", "turns", "chat", "thread", "history")
TOOLS = ("tools", "functions", "availabletools")
HISTORY = ("history",)
CHOSEN = ("chosen", "preferred", "preferredoutput", "responsechosen", "chosenresponse", "win", "winner", "better",
          "positive", "good", "accepted", "responsej")  # fmt: skip
REJECTED = ("rejected", "dispreferred", "nonpreferredoutput", "responserejected", "rejectedresponse", "lose", "loser",
            "worse", "negative", "bad", "discarded", "responsek")  # fmt: skip
TWO = (
    ("responsea", "responseb"), ("answera", "answerb"), ("outputa", "outputb"), ("completiona", "completionb"),
    ("conversationa", "conversationb"), ("response0", "response1"), ("answer0", "answer1"), ("response1", "response2"),
    ("answer1", "answer2"), ("output1", "output2"), ("completion1", "completion2"), ("a", "b"),
)  # fmt: skip
PREFERRED = ("preference", "preferred", "winner", "choice", "better", "betterresponseid", "label", "chosen", "verdict")
GOOD = ("label", "good", "feedback", "thumb", "thumbs", "thumbsup", "rating", "liked", "score", "reward", "isgood",
        "helpful", "accepted", "desirable", "vote")  # fmt: skip
ANSWERS = ("answers", "responses", "completions", "candidates", "outputs", "generations", "rankedanswers", "ranked")
RANKING = ("ranking", "ranks", "rank", "order")
SCORES = ("scores", "ratings", "rewards", "score")
ANSWER = ("finalanswer", "answer", "groundtruth", "gold", "target", "solution", "expected", "label", "expectedanswer",
          "reference", "output")  # fmt: skip
TESTS = ("tests", "testlist", "unittests", "test", "testcases", "asserts", "checks")
TEXT = ("text", "content", "document", "body", "article", "page", "passage", "raw", "markdown")
GROUP = (
    "group", "groupid", "conversationid", "dialogueid", "dialogid", "threadid", "sessionid", "ticketid", "documentid",
    "docid", "documentname", "document_name", "customerid", "userid", "patientid", "accountid", "authorid",
)  # fmt: skip


def plain(name: str) -> str:
    """A column's name as it is compared."""
    return "".join(each for each in name.lower() if each not in " -_")
