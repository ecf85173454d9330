"""Tests of cases.py: each expectation of a case must be able to fail."""

import unittest

import cases

ANSWER = {"KeyId": "k", "Limit": 1, "Enabled": True, "Tags": [{"TagKey": "a"}, {"TagKey": "b"}]}
ERROR = {"error": "NotFoundException", "status": 400, "message": "no such key"}


class CasesTest(unittest.TestCase):
    def test_answer_matches_expected_members(self):
        for expected, wanted in (
            ({}, True),
            (ANSWER, True),
            ({"KeyId": "*", "Tags": "*", "Policy": None}, True),
            ({"KeyId": "other"}, False),
            ({"KeyId": None}, False),
            ({"Policy": "*"}, False),
            ({"Limit": True}, False),
            ({"Limit": "1"}, False),
            ({"Tags": []}, False),
            ({"Tags": [{"TagKey": "a"}]}, False),
            ({"Tags": [{"TagKey": "b"}, {"TagKey": "a"}]}, False),
        ):
            with self.subTest(expected=expected):
                self.assertEqual(wanted, cases.matches(expected, ANSWER))

    def test_all_pages_have_the_expected_items(self):
        for expected, wanted in (
            ({"Tags": [{"TagKey": "b"}]}, True),
            ({"Tags": [{"TagKey": "c"}]}, False),
            ({"Keys": [{"KeyId": "k"}]}, False),
        ):
            with self.subTest(expected=expected):
                self.assertEqual(wanted, cases.all_listed(expected, ANSWER))

    def test_error_matches_the_expected_error(self):
        expected = {"error": "NotFoundException", "message": "no such ${what}"}
        for case, seen, wanted in (
            (expected, ERROR, True),
            ({"error": "NotFoundException"}, ERROR, True),
            (expected, {name: ERROR[name] for name in ("error", "message")}, True),
            ({"error": "NotFoundException", "message": None}, ERROR, False),
            (expected, ERROR | {"message": None}, False),
            (expected, ERROR | {"message": "no such alias"}, False),
            (expected, ERROR | {"error": "AccessDeniedException"}, False),
            (expected, ERROR | {"status": 404}, False),
            (expected, {"answer": {}}, False),
            (expected, {"fault": "no connection"}, False),
        ):
            with self.subTest(case=case, seen=seen):
                self.assertEqual(wanted, self.passes(case, seen))

    def passes(self, case, seen):
        try:
            cases.check_error(case, seen, {"what": "key"})
        except cases.Mismatch:
            return False
        return True

    def test_variables_in_texts_are_replaced(self):
        self.assertEqual(["aaa k", "AAA="], cases.filled_in(["${letters:3} ${key}", "${zeros:2}"], {"key": "k"}))
        with self.assertRaises(cases.Mismatch):
            cases.filled_in("${key}", {})

    def test_malformed_case_is_refused(self):
        case = {"name": "n", "call": "ListKeys", "input": {}, "answer": {}}
        cases.check_table([case])
        for wrong in (case | {"anwser": {}}, case | {"error": "E"}, case | {"message": "m"}, case | {"not": ["Go"]}):
            with self.subTest(wrong), self.assertRaises(SystemExit):
                cases.check_table([wrong])
        with self.assertRaises(SystemExit):
            cases.check_table([case, case])


if __name__ == "__main__":
    unittest.main()
