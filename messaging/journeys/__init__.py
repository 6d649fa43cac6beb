"""Journeys: the right word at the right moment, declared as data, carried on from rows.

declaration, documents   a journey as data, and as JSON
stepping                 pure: what the next step of an enrolment is, given what is known
facts, actions           what a journey may ask, say and do, by registered names
builtin/                 the journeys of the house, one module each
revisions, switches      what is published, and what staff have turned on or changed
enrolling, scanning      who enters: by an event, by a look at the clock, by hand
engine                   wakes enrolments that are due and carries them on
"""
