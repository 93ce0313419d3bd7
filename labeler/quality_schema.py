"""The tables of quality work: gold rules and pauses, reviews, comments, screening exams."""

from __future__ import annotations

import sqlalchemy as sa

from labeler.schema import metadata

gold_rules = sa.Table(
    "gold_rules",
    metadata,
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
    sa.Column("share", sa.Float, nullable=False),
    sa.Column("feedback", sa.Text, nullable=False),  # none, each, wrong
    sa.Column("threshold", sa.Float),
    sa.Column("least", sa.Integer, nullable=False),
    sa.Column("secret", sa.Text, nullable=False),  # hides the order of import, see labeler.handles
)

pauses = sa.Table(
    "pauses",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), nullable=False),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("accuracy", sa.Float, nullable=False),
    sa.Column("items", sa.Integer, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("lifted_by", sa.ForeignKey("users.id")),
    sa.Column("lifted", sa.Float),
    sa.Index("ix_pauses_user", "user_id", "project_id"),
)

reviewers = sa.Table(
    "reviewers",
    metadata,
    sa.Column("user_id", sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
)

# Whose judgments of a project no model learns from, see labeler.raters.
held_out = sa.Table(
    "held_out",
    metadata,
    sa.Column("user_id", sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
)

# What the review page lists, derived from judgments and brought up to date when the page is opened.
reviews = sa.Table(
    "reviews",
    metadata,
    sa.Column("task_id", sa.ForeignKey("tasks.id"), primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), nullable=False),
    sa.Column("judgments", sa.Integer, nullable=False),
    sa.Column("disagreement", sa.Float, nullable=False),  # -1 where nobody else compared the same
    sa.Column("flagged", sa.Boolean, nullable=False),
    sa.Column("skipped", sa.Boolean, nullable=False),
    sa.Column("all_bad", sa.Boolean, nullable=False),
    sa.Column("noted", sa.Boolean, nullable=False),
)
sa.Index("ix_reviews_order", reviews.c.project_id, reviews.c.disagreement.desc(), reviews.c.task_id)

review_marks = sa.Table(
    "review_marks",
    metadata,
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
    sa.Column("judgment_id", sa.Integer, nullable=False),  # judgments up to this one are in `reviews`
)

sent_back = sa.Table(
    "sent_back",
    metadata,
    sa.Column("judgment_id", sa.ForeignKey("judgments.id"), primary_key=True),
    sa.Column("by_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("comment", sa.JSON, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
)

comments = sa.Table(
    "comments",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("task_id", sa.ForeignKey("tasks.id"), nullable=False),
    sa.Column("labeler_id", sa.ForeignKey("users.id"), nullable=False),  # whose thread it is
    sa.Column("author_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("text", sa.JSON, nullable=False),  # a JSON string, which may hold what a text column refuses
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("ix_comments_task", "task_id", "labeler_id", "id"),
    sa.Index("ix_comments_labeler", "labeler_id", "id"),
)

comment_reads = sa.Table(
    "comment_reads",
    metadata,
    sa.Column("user_id", sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("task_id", sa.ForeignKey("tasks.id"), primary_key=True),
    sa.Column("labeler_id", sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("comment_id", sa.Integer, nullable=False),  # read up to this one
)

exams = sa.Table(
    "exams",
    metadata,
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
    sa.Column("content", sa.JSON, nullable=False),  # see labeler.exam.ExamRules
)

candidates = sa.Table(
    "candidates",
    metadata,
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),  # screening, admitted, refused
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("began", sa.Float, nullable=False),
    sa.Column("areas", sa.JSON, nullable=False),
)

exam_answers = sa.Table(
    "exam_answers",
    metadata,
    sa.Column("project_id", sa.ForeignKey("projects.id"), primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id"), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("prompt", sa.JSON, nullable=False),
    sa.Column("text", sa.JSON, nullable=False),
    sa.Column("saved", sa.Float, nullable=False),
    sa.Column("grade", sa.Integer),
    sa.Column("graded_by", sa.ForeignKey("users.id")),
)

decisions = sa.Table(
    "decisions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("project_id", sa.ForeignKey("projects.id"), nullable=False),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("decision", sa.Text, nullable=False),  # admit, not yet, retry
    sa.Column("by_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("note", sa.JSON, nullable=False),
    sa.Column("scores", sa.JSON, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Index("ix_decisions_user", "user_id", "project_id"),
)
