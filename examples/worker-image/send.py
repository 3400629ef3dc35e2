"""email.send: writes the message of a job to the outbox, once even if the job runs twice.

The payload is {"to": "...", "subject": "...", "text": "..."}.
"""

import json
import os
import sys
from email.message import EmailMessage
from pathlib import Path

DATA_ERROR = 65  # Permanent: the next attempt would get the same payload.


def message_of(payload, job_id):
    if not isinstance(payload, dict):
        raise ValueError("the payload is not an object")
    for member in ("to", "subject", "text"):
        if not isinstance(payload.get(member), str):
            raise ValueError(f'"{member}" is missing, or is not a text')
    message = EmailMessage()
    # A line feed in a header, with which a payload could add headers, raises ValueError.
    message["To"] = payload["to"]
    message["Subject"] = payload["subject"]
    message["Message-ID"] = f"<{job_id}@jobqueue>"
    message.set_content(payload["text"])
    return message


def main():
    job_id = os.environ["JOBQUEUE_JOB_ID"]
    try:
        message = message_of(json.load(sys.stdin), job_id)
        body = message.as_bytes()
    except ValueError as error:
        print(error, file=sys.stderr)
        return DATA_ERROR
    outbox = Path(os.environ["OUTBOX"])
    outbox.mkdir(parents=True, exist_ok=True)
    # The id of the job is the file name, and the file is renamed when complete: a second attempt writes the same file.
    draft = outbox / f".{job_id}.{os.environ['JOBQUEUE_LEASE_TOKEN']}"
    draft.write_bytes(body)
    draft.replace(outbox / f"{job_id}.eml")
    print(json.dumps({"message_id": message["Message-ID"]}))  # The last line is the result.
    return 0


sys.exit(main())
