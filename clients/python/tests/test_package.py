import unittest
from importlib.metadata import PackageNotFoundError, distribution


class TestThePackage(unittest.TestCase):
    def setUp(self) -> None:
        try:
            self.package = distribution("token-vault-client")
        except PackageNotFoundError:
            self.skipTest("the package is not installed")

    def test_brings_its_types_and_its_licence(self) -> None:
        names = {file.name for file in self.package.files or ()}
        self.assertLessEqual({"py.typed", "LICENSE", "zoho.py"}, names)

    def test_brings_no_other_package_and_none_of_its_tests(self) -> None:
        required = [name for name in self.package.requires or () if "extra ==" not in name]
        self.assertEqual(required, [])
        self.assertEqual([file for file in self.package.files or () if "test" in str(file)], [])
