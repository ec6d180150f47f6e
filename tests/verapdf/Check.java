import java.io.FileInputStream;
import java.util.Map;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.PDFAParser;
import org.verapdf.pdfa.PDFAValidator;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;
import org.verapdf.pdfa.results.ValidationResult;

/** Checks files against PDF/UA-1 with veraPDF: a line for each rule broken, then how many assertions were tested. */
public class Check {
    public static void main(String[] names) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        boolean allCompliant = true;
        for (String name : names) {
            try (PDFAParser parser = Foundries.defaultInstance().createParser(new FileInputStream(name), PDFAFlavour.PDFUA_1);
                    PDFAValidator validator = Foundries.defaultInstance().createValidator(PDFAFlavour.PDFUA_1, 20, false, true, false)) {
                ValidationResult result = validator.validate(parser);
                for (TestAssertion failed : result.getTestAssertions()) {
                    if (failed.getStatus() == TestAssertion.Status.FAILED) {
                        System.out.println(failed.getRuleId().getClause() + "-" + failed.getRuleId().getTestNumber()
                                + " " + failed.getMessage() + " " + failed.getLocation().getContext());
                    }
                }
                System.out.println(name + ": " + result.getTotalAssertions() + " assertions, "
                        + (result.isCompliant() ? "compliant" : "NOT compliant"));
                allCompliant &= result.isCompliant();
            }
        }
        System.exit(allCompliant ? 0 : 1);
    }
}
