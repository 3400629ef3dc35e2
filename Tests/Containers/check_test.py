"""Each rule of check.py finds what breaks it, and nothing in what keeps it."""

import unittest

import check

DOCKERFILE = """\
# FROM a comment
ARG BASE=debian:bookworm-slim

FROM ${BASE}
# The list goes on below this comment.
RUN a \\
    # Not the end of it.
    && b
COPY Sources/a Sources/b ./
COPY --from=builder /image/a /usr/local/bin/
ARG VERSION=1.2.3
USER 10001:10001
HEALTHCHECK --timeout=5s CMD ["a", "health"]
ENTRYPOINT ["a"]
"""


def faults(text):
    return check.faults(text, "1.2.3", ["BASE=debian:bookworm-slim"], lambda path: path.startswith("Sources/"))


class DockerfileTest(unittest.TestCase):
    def test_a_sound_file_is_accepted(self):
        self.assertEqual(faults(DOCKERFILE), [])

    def test_what_may_not_be_is_found_at_its_line(self):
        for old, new, line in [
            ("${BASE}", "debian:bookworm-slim", 4),
            ("Sources/b", "Secrets/b", 9),
            ("COPY Sources/a", "COPY --chown=1 Secrets/a", 9),
            ("1.2.3", "1.2.2", 11),
            ('CMD ["a", "health"]', "CMD a health", 13),
            ("RUN a", "RUN --mount=type=cache a", 6),
            ("COPY --from", "COPY --chmod=0755 --from", 10),
            ("bookworm-slim", "trixie-slim", 1),
            ("ARG BASE=debian:bookworm-slim", "", 1),
        ]:
            found = faults(DOCKERFILE.replace(old, new))
            self.assertIn(line, [place for place, _ in found], new)

    def test_an_image_runs_as_a_number_other_than_root(self):
        for user in ["USER 0", "USER jobqueue", "USER 10001:10001\nUSER root", ""]:
            found = faults(DOCKERFILE.replace("USER 10001:10001", user))
            self.assertIn("does not end as USER 10001:10001", [message for _, message in found], user)


class IgnoreFileTest(unittest.TestCase):
    def test_a_context_is_what_is_allowed_and_not_what_is_left_over(self):
        self.assertEqual(check.allowed("# Why\n*\n!Sources\n\n!Scripts/a.sh\n"), ["Sources", "Scripts/a.sh"])
        self.assertIsNone(check.allowed(".git\n.build\n"))
        self.assertIsNone(check.allowed("*\n!Sources\nSources/x\n"))
        self.assertIsNone(check.allowed(""))


if __name__ == "__main__":
    unittest.main()
